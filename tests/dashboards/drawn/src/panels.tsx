/** Grafana's panels around its published components, as its core plug-ins put them together. */
import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  DataFrame,
  dateTime,
  FieldColorModeId,
  FieldDisplay,
  FieldType,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  GrafanaTheme2,
  TimeRange,
  transformDataFrame,
  VizOrientation,
} from '@grafana/data';
import {
  BarGauge,
  BigValue,
  Table,
  TimeSeries,
  UPlotConfigBuilder,
  useTheme2,
  VizRepeater,
} from '@grafana/ui';
import merge from 'lodash/merge';
import { ReactElement, useEffect, useMemo, useState } from 'react';

import { Answer, framesOf } from './frames';
import { customDefaults, fieldOptions } from './registry';

export const ZONE = 'utc';

export interface Mark {
  name: string;
  color: string;
  time: number;
  text: string;
}

export interface PanelModel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig: { defaults: Record<string, any>; overrides: any[] };
  options?: Record<string, any>;
  transformations?: any[];
}

interface Space {
  width: number;
  height: number;
}

interface Drawn extends Space {
  panel: PanelModel;
  frames: DataFrame[];
  range: TimeRange;
  marks: Mark[];
}

const same = (text: string) => text;

export function timeRange(from: number, to: number): TimeRange {
  const [start, end] = [dateTime(from * 1000), dateTime(to * 1000)];
  return { from: start, to: end, raw: { from: start, to: end } };
}

/** What stands in a panel's field options, over what Grafana takes if nothing stands there. */
function fieldConfig(panel: PanelModel) {
  const mode = { timeseries: 'palette-classic' }[panel.type] ?? FieldColorModeId.Thresholds;
  const thresholds = {
    mode: 'absolute',
    steps: [
      { value: -Infinity, color: 'green' },
      { value: 80, color: 'red' },
    ],
  };
  const defaults = merge({}, { color: { mode }, thresholds, custom: customDefaults(panel.type) });
  const own = structuredClone(panel.fieldConfig);
  for (const step of own.defaults.thresholds?.steps ?? []) {
    step.value ??= -Infinity;
  }
  return {
    defaults: { ...merge(defaults, own.defaults), thresholds: own.defaults.thresholds ?? thresholds },
    overrides: own.overrides ?? [],
  } as any;
}

function styled(panel: PanelModel, data: DataFrame[], theme: GrafanaTheme2): DataFrame[] {
  const frames = applyFieldOverrides({
    data,
    fieldConfig: fieldConfig(panel),
    fieldConfigRegistry: fieldOptions(panel.type),
    replaceVariables: same,
    theme,
    timeZone: ZONE,
  });
  cacheFieldDisplayNames(frames);
  return frames;
}

function useFrames(panel: PanelModel, answers: Answer[]) {
  const theme = useTheme2();
  const [frames, setFrames] = useState<DataFrame[]>();
  useEffect(() => {
    const raw = framesOf(answers);
    const sub = transformDataFrame(panel.transformations ?? [], raw, {
      interpolate: same,
    }).subscribe((data) => setFrames(styled(panel, data, theme)));
    return () => sub.unsubscribe();
  }, [panel, answers, theme]);
  return frames;
}

function Empty({ panel }: { panel: PanelModel }): ReactElement {
  return (
    <div className="empty" data-empty={panel.title}>
      {panel.fieldConfig.defaults.noValue ?? 'No data'}
    </div>
  );
}

function markLines(config: UPlotConfigBuilder, marks: Mark[], theme: GrafanaTheme2): null {
  config.addHook('draw', (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    for (const { time, color } of marks) {
      const x = Math.round(plot.valToPos(time, 'x', true));
      if (x < bbox.left || x > bbox.left + bbox.width) {
        continue;
      }
      ctx.strokeStyle = ctx.fillStyle = theme.visualization.getColorByName(color);
      ctx.lineWidth = 2;
      ctx.setLineDash([5, 5]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.moveTo(x - 6, bbox.top + bbox.height + 8);
      ctx.lineTo(x + 6, bbox.top + bbox.height + 8);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.fill();
    }
    ctx.restore();
  });
  return null;
}

function Chart({ panel, frames, range, marks, width, height }: Drawn): ReactElement {
  const theme = useTheme2();
  const drawn = useMemo(() => frames.filter((frame) => frame.length > 0), [frames]);
  const numeric = drawn.some(({ fields }) => fields.some(({ type }) => type === FieldType.number));
  if (!numeric) {
    return <Empty panel={panel} />;
  }
  return (
    <TimeSeries
      frames={drawn}
      structureRev={1}
      timeRange={range}
      timeZone={ZONE}
      width={width}
      height={height}
      legend={panel.options?.legend}
    >
      {(config: UPlotConfigBuilder) => markLines(config, marks, theme)}
    </TimeSeries>
  );
}

function shownValues(panel: PanelModel, frames: DataFrame[], theme: GrafanaTheme2): FieldDisplay[] {
  return getFieldDisplayValues({
    data: frames,
    reduceOptions: { values: false, calcs: ['lastNotNull'], ...panel.options?.reduceOptions },
    fieldConfig: fieldConfig(panel),
    replaceVariables: same,
    sparkline: false,
    theme,
    timeZone: ZONE,
  });
}

function Stat({ panel, frames, width, height }: Drawn): ReactElement {
  const theme = useTheme2();
  const options = panel.options ?? {};
  const lying = width > height ? VizOrientation.Vertical : VizOrientation.Horizontal;
  return (
    <VizRepeater
      getValues={() => shownValues(panel, frames, theme)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      itemSpacing={3}
      width={width}
      height={height}
      source={frames}
      orientation={options.orientation ?? lying}
      renderCounter={1}
      renderValue={({ value, alignmentFactors, count, width, height }: any) => {
        const alone = options.textMode === 'auto' && count === 1;
        return (
          <BigValue
            value={alone ? { ...value.display, title: undefined } : value.display}
            count={count}
            alignmentFactors={alignmentFactors}
            colorMode={options.colorMode}
            graphMode={options.graphMode}
            justifyMode={options.justifyMode}
            textMode={options.textMode}
            wideLayout={options.wideLayout}
            theme={theme}
            width={width}
            height={height}
          />
        );
      }}
    />
  );
}

function Bars({ panel, frames, width, height }: Drawn): ReactElement {
  const theme = useTheme2();
  const options = panel.options ?? {};
  return (
    <VizRepeater
      getValues={() => shownValues(panel, frames, theme)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      itemSpacing={options.displayMode === 'lcd' ? 2 : 10}
      minVizHeight={options.minVizHeight ?? 16}
      minVizWidth={options.minVizWidth ?? 8}
      width={width}
      height={height}
      source={frames}
      orientation={options.orientation}
      renderCounter={1}
      renderValue={({ value, alignmentFactors, orientation, width, height }: any) => (
        <BarGauge
          value={value.display}
          width={width}
          height={height}
          orientation={orientation}
          field={value.field}
          text={options.text}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          theme={theme}
          itemSpacing={10}
          displayMode={options.displayMode}
          alignmentFactors={alignmentFactors}
          showUnfilled={options.showUnfilled ?? true}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
        />
      )}
    />
  );
}

function Listing({ panel, frames, range, width, height }: Drawn): ReactElement {
  const frame = frames[0];
  if (!frame?.fields.length || !frame.length) {
    return <Empty panel={panel} />;
  }
  return (
    <Table
      data={frame}
      width={width}
      height={height}
      noHeader={panel.options?.showHeader === false}
      initialSortBy={panel.options?.sortBy}
      cellHeight={panel.options?.cellHeight}
      timeRange={range}
      fieldConfig={fieldConfig(panel)}
      replaceVariables={same}
    />
  );
}

const KINDS: Record<string, (drawn: Drawn) => ReactElement> = {
  timeseries: Chart,
  stat: Stat,
  bargauge: Bars,
  table: Listing,
};

export interface ShownProps extends Space {
  panel: PanelModel;
  answers: Answer[];
  from: number;
  to: number;
  marks: Mark[];
}

export function Shown({ panel, answers, from, to, marks, width, height }: ShownProps) {
  const frames = useFrames(panel, answers);
  const Kind = KINDS[panel.type];
  const range = useMemo(() => timeRange(from, to), [from, to]);
  if (!Kind) {
    throw new Error(`no component draws a panel of the type ${panel.type}`);
  }
  return frames ? <Kind {...{ panel, frames, range, marks, width, height }} /> : null;
}
