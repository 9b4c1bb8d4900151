/** The field options that Grafana's panels know, registered as the application does at its start. */
import {
  FieldConfigOptionsRegistry,
  FieldConfigPropertyItem,
  identityOverrideProcessor,
  PanelPlugin,
  standardEditorsRegistry,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';

const STANDARD: Array<[string, (value: any, context: any, settings?: any) => unknown]> = [
  ['displayName', identityOverrideProcessor],
  ['unit', unitOverrideProcessor],
  ['min', identityOverrideProcessor],
  ['max', identityOverrideProcessor],
  ['decimals', identityOverrideProcessor],
  ['noValue', identityOverrideProcessor],
  ['color', identityOverrideProcessor],
  ['thresholds', thresholdsOverrideProcessor],
  ['mappings', valueMappingsOverrideProcessor],
  ['links', identityOverrideProcessor],
];

const CUSTOM: Record<string, Record<string, unknown>> = {
  timeseries: {
    drawStyle: 'line',
    lineInterpolation: 'linear',
    lineWidth: 1,
    lineStyle: undefined,
    fillOpacity: 0,
    fillBelowTo: undefined,
    gradientMode: 'none',
    showPoints: 'auto',
    pointSize: 5,
    spanNulls: false,
    insertNulls: false,
    barAlignment: 0,
    barWidthFactor: 0.6,
    axisPlacement: 'auto',
    axisLabel: '',
    axisColorMode: 'text',
    axisBorderShow: false,
    axisCenteredZero: false,
    axisSoftMin: undefined,
    axisSoftMax: undefined,
    axisGridShow: undefined,
    scaleDistribution: { type: 'linear' },
    stacking: { mode: 'none', group: 'A' },
    thresholdsStyle: { mode: 'off' },
    hideFrom: { tooltip: false, viz: false, legend: false },
  },
  table: {
    align: 'auto',
    cellOptions: { type: 'auto' },
    inspect: false,
    width: undefined,
    minWidth: undefined,
    filterable: undefined,
    hidden: undefined,
  },
};

const nothing = () => null;

export function start(): void {
  standardFieldConfigEditorRegistry.setInit(() =>
    STANDARD.map(
      ([id, process]) =>
        ({
          id,
          path: id,
          name: id,
          process,
          editor: nothing,
          override: nothing,
          shouldApply: () => true,
        }) as unknown as FieldConfigPropertyItem
    )
  );
  standardEditorsRegistry.setInit(() => []);
  standardTransformersRegistry.setInit(() =>
    [...new Set(Object.values(standardTransformers))].map((transformation) => ({
      id: transformation.id,
      name: transformation.name,
      transformation,
      editor: nothing as never,
    }))
  );
}

const made = new Map<string, PanelPlugin>();

function plugin(type: string): PanelPlugin {
  const known = made.get(type);
  if (known) {
    return known;
  }
  const fresh = new PanelPlugin(nothing).useFieldConfig({
    useCustomConfig: (builder) => {
      for (const [path, defaultValue] of Object.entries(CUSTOM[type] ?? {})) {
        builder.addCustomEditor({
          id: path,
          path,
          name: path,
          defaultValue,
          editor: nothing,
          override: nothing,
          process: identityOverrideProcessor,
          shouldApply: () => true,
        } as never);
      }
    },
  });
  fresh.meta = { id: type, name: type } as never;
  made.set(type, fresh);
  return fresh;
}

export function fieldOptions(type: string): FieldConfigOptionsRegistry {
  return plugin(type).fieldConfigRegistry;
}

export function customDefaults(type: string): Record<string, unknown> {
  return CUSTOM[type] ?? {};
}
