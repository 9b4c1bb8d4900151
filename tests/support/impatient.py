"""The program with an agent that looks at its store five times a second, not each five seconds."""

from monitor.agent import election
from monitor.cli import main

if __name__ == "__main__":
    election.CHECK = 0.2  # type: ignore[misc]
    main()
