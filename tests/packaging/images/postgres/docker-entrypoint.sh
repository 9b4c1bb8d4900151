#!/bin/sh
# What docker-compose.yml asks of the official image's entrypoint: a database and its owner from
# the environment, and the scripts of a folder, run once against a server that listens nowhere.
set -eu
chmod 0700 "$PGDATA"
chmod 3775 /var/run/postgresql
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -n "$POSTGRES_PASSWORD" ]
    echo "$POSTGRES_PASSWORD" > /tmp/password
    initdb --encoding=UTF8 --username="$POSTGRES_USER" --pwfile=/tmp/password
    rm /tmp/password
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl --options="-c listen_addresses=''" --wait start
    createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    for script in /docker-entrypoint-initdb.d/*; do
        "$script"
    done
    pg_ctl --mode=fast --wait stop
fi
exec "$@"
