/** A data source's answers as Grafana's frames, the way its Prometheus and SQL plug-ins make them. */
import { DataFrame, FieldType, Labels, toDataFrame } from '@grafana/data';

interface Series {
  metric: Labels;
  value?: [number, string];
  values?: Array<[number, string]>;
}

interface Vector {
  refId: string;
  kind: 'series' | 'table';
  legend: string;
  step: number;
  result: Series[];
}

interface Rows {
  refId: string;
  kind: 'rows';
  columns: string[];
  times: string[];
  rows: Array<Array<string | number | null>>;
}

export type Answer = Vector | Rows;

function named(legend: string, labels: Labels): string {
  return legend.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '');
}

function promqlName({ __name__, ...labels }: Labels): string {
  const inner = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return `${__name__ ?? ''}{${inner.join(', ')}}`;
}

/** Puts null where a series has no point, as Grafana does: lines must not run through gaps. */
function withGaps(points: Array<[number, string]>, step: number): Array<[number, number | null]> {
  const known = new Map(points.map(([time, text]) => [time, Number(text)]));
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  const count = Math.round((last - first) / step) + 1;
  return Array.from({ length: count }, (_, place) => {
    const time = first + place * step;
    return [time, known.get(time) ?? null];
  });
}

function seriesFrames({ refId, legend, step, result }: Vector): DataFrame[] {
  return result.map(({ metric, value, values }) => {
    const points = withGaps(values ?? [value!], step);
    return toDataFrame({
      refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: points.map(([time]) => time * 1000) },
        {
          name: 'Value',
          type: FieldType.number,
          labels: metric,
          values: points.map(([, number]) => number),
          config: { displayNameFromDS: legend ? named(legend, metric) : promqlName(metric) },
        },
      ],
    });
  });
}

function tableFrame({ refId, result }: Vector, alone: boolean): DataFrame {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return toDataFrame({
    refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: result.map(({ value }) => value![0] * 1000) },
      ...labels.map((label) => ({
        name: label,
        type: FieldType.string,
        values: result.map(({ metric }) => metric[label] ?? ''),
      })),
      {
        name: alone ? 'Value' : `Value #${refId}`,
        type: FieldType.number,
        values: result.map(({ value }) => Number(value![1])),
      },
    ],
  });
}

function rowsFrame({ refId, columns, times, rows }: Rows): DataFrame {
  return toDataFrame({
    refId,
    fields: columns.map((name, place) => {
      const values = rows.map((row) => row[place]);
      const text = values.some((value) => typeof value === 'string');
      const type = times.includes(name) ? FieldType.time : text ? FieldType.string : FieldType.number;
      return { name, type, values };
    }),
  });
}

export function framesOf(answers: Answer[]): DataFrame[] {
  const alone = answers.length === 1;
  return answers.flatMap((answer) => {
    switch (answer.kind) {
      case 'series':
        return seriesFrames(answer);
      case 'table':
        return answer.result.length ? [tableFrame(answer, alone)] : [];
      case 'rows':
        return answer.rows.length ? [rowsFrame(answer)] : [];
    }
  });
}
