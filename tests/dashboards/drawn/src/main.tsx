/** A dashboard drawn from its file and the answers to its questions. */
import { createTheme, EventBusSrv, dateTimeFormat } from '@grafana/data';
import { DashboardCursorSync } from '@grafana/schema';
import { GlobalStyles, PanelChrome, PanelContextProvider, PortalContainer, ThemeContext } from '@grafana/ui';
import { Component, ErrorInfo, ReactNode, useEffect } from 'react';
import { createRoot } from 'react-dom/client';

import { Answer } from './frames';
import { Mark, PanelModel, Shown, ZONE } from './panels';
import { start } from './registry';

interface Asked {
  board: { title: string; description: string; panels: PanelModel[] };
  answers: Record<string, Answer[]>;
  marks: Mark[];
  variables: Array<{ label: string; value: string }>;
  from: number;
  to: number;
}

declare global {
  interface Window {
    ASKED: Asked;
  }
}

const CELL = 30;
const GAP = 8;
const COLUMNS = 24;

class Guard extends Component<{ title: string; children: ReactNode }, { error?: Error }> {
  state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  componentDidCatch(error: Error, info: ErrorInfo) {
    console.error(`panel "${this.props.title}": ${error}`, info.componentStack);
  }

  render() {
    const { error } = this.state;
    return error ? <pre data-error={this.props.title}>{String(error)}</pre> : this.props.children;
  }
}

function place({ x, y, w, h }: PanelModel['gridPos'], total: number) {
  const column = (total - GAP * (COLUMNS - 1)) / COLUMNS;
  return {
    left: x * (column + GAP),
    top: y * (CELL + GAP),
    width: w * column + (w - 1) * GAP,
    height: h * CELL + (h - 1) * GAP,
  };
}

function Placed({ panel, asked, total }: { panel: PanelModel; asked: Asked; total: number }) {
  const { width, height, ...corner } = place(panel.gridPos, total);
  const style = { position: 'absolute' as const, width, height, ...corner };
  if (panel.type === 'row') {
    return (
      <h2 className="row" style={style}>
        <span>⌄</span> {panel.title}
      </h2>
    );
  }
  return (
    <div style={style} data-panel={panel.title} data-type={panel.type}>
      <Guard title={panel.title}>
        <PanelChrome
          title={panel.title}
          description={panel.description}
          width={width}
          height={height}
          padding={panel.type === 'table' ? 'none' : 'md'}
        >
          {(innerWidth, innerHeight) => (
            <Shown
              panel={panel}
              answers={asked.answers[panel.id] ?? []}
              from={asked.from}
              to={asked.to}
              marks={asked.marks}
              width={innerWidth}
              height={innerHeight}
            />
          )}
        </PanelChrome>
      </Guard>
    </div>
  );
}

function Board({ asked }: { asked: Asked }) {
  const { board } = asked;
  const total = document.documentElement.clientWidth - 2 * 16;
  const rows = Math.max(...board.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  const time = (seconds: number) => dateTimeFormat(seconds * 1000, { timeZone: ZONE });
  useEffect(() => {
    requestAnimationFrame(() => requestAnimationFrame(() => (document.body.dataset.drawn = 'yes')));
  }, []);
  return (
    <main>
      <header>
        <h1>{board.title}</h1>
        <span>
          {time(asked.from)} to {time(asked.to)} UTC
        </span>
      </header>
      <div className="variables">
        {asked.variables.map(({ label, value }) => (
          <span key={label}>
            <b>{label}</b> {value}
          </span>
        ))}
      </div>
      <div style={{ position: 'relative', height: rows * (CELL + GAP) }}>
        {board.panels.map((panel) => (
          <Placed key={panel.id} panel={panel} asked={asked} total={total} />
        ))}
      </div>
    </main>
  );
}

function Page({ asked }: { asked: Asked }) {
  const theme = createTheme({ colors: { mode: 'dark' } });
  const context = {
    eventsScope: 'global',
    eventBus: new EventBusSrv(),
    sync: () => DashboardCursorSync.Off,
  };
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PanelContextProvider value={context as never}>
        <Board asked={asked} />
        <PortalContainer />
      </PanelContextProvider>
    </ThemeContext.Provider>
  );
}

/** Texts are measured when they are drawn: the fonts must be there before. */
async function fonts(): Promise<void> {
  await Promise.all(['400', '500'].map((weight) => document.fonts.load(`${weight} 14px Inter`)));
}

start();
fonts().then(() =>
  createRoot(document.getElementById('root')!).render(<Page asked={window.ASKED} />)
);
