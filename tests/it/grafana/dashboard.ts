// The classic dashboard as Grafana's own types have it: a dashboard put behind this compiles, or
// the compiler says what Grafana does not know.
import type { AnnotationQuery, Dashboard, DataQuery, FieldConfigSource, Panel, RowPanel, VariableModel } from '@grafana/schema';
import type * as Heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as Stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as StateTimeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as Table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as TimeSeries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON has the values of enums, not their names.
type Json<T> = T extends string
  ? `${T}`
  : T extends number
    ? number extends T ? number : `${T}` extends `${infer N extends number}` ? N : never
    : T extends boolean | null | undefined ? T
    : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

type Of<K extends string, O, C> = Json<Omit<Panel, 'type' | 'options' | 'fieldConfig'> & {
  type: K;
  options: O;
  fieldConfig: Omit<FieldConfigSource, 'defaults'> & {
    defaults: Omit<FieldConfigSource['defaults'], 'custom'> & { custom?: C };
  };
}>;
type AnyPanel =
  | Of<'timeseries', TimeSeries.Options, TimeSeries.FieldConfig>
  | Of<'stat', Stat.Options, Record<string, never>>
  | Of<'table', Table.Options, Partial<Table.FieldConfig>>
  | Of<'heatmap', Heatmap.Options, Heatmap.FieldConfig>
  | Of<'state-timeline', StateTimeline.Options, StateTimeline.FieldConfig>;
type Row = Json<Omit<RowPanel, 'panels'>> & { panels: AnyPanel[] };
// What the Prometheus datasource adds to queries is in no schema.
type Query = DataQuery & { expr: string; interval: string; legendFormat: string };
type Annotation = Json<AnnotationQuery<Query>> & {
  titleFormat?: string; textFormat?: string; tagKeys?: string; useValueForTime?: boolean;
};
type Whole = Json<Omit<Dashboard, 'panels' | 'annotations' | 'templating'>> & {
  panels: (AnyPanel | Row)[];
  annotations: { list: Annotation[] };
  templating: { list: Json<VariableModel>[] };
};
