/** Bundles the page into the folder that is given. */
import { build } from 'esbuild';
import { cpSync } from 'node:fs';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);

const FONTS = {
  'inter/files/inter-latin-400-normal.woff2': 'inter/Inter-Regular.woff2',
  'inter/files/inter-latin-500-normal.woff2': 'inter/Inter-Medium.woff2',
  'roboto-mono/files/roboto-mono-latin-400-normal.woff2':
    'roboto/L0xTDF4xlVMF-BfR8bXMIhJHg45mwgGEFl0_3vrtSM1J-gEPT5Ese6hmHSh0mQ.woff2',
};

/** Grafana's ES modules want this CommonJS one's default as their bundler gives it, not Node. */
const scrollbars = {
  name: 'scrollbars',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^react-custom-scrollbars-2$/ }, ({ namespace, path }) =>
      namespace === 'scrollbars' ? undefined : { path, namespace: 'scrollbars' }
    );
    onLoad({ filter: /.*/, namespace: 'scrollbars' }, ({ path }) => ({
      contents: `export { Scrollbars as default } from '${path}'`,
      resolveDir: process.cwd(),
    }));
  },
};

/** An editor of code has no place on a dashboard. */
const noEditor = {
  name: 'no editor',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^monaco-editor/ }, ({ path }) => ({ path, namespace: 'none' }));
    onLoad({ filter: /.*/, namespace: 'none' }, () => ({ contents: 'module.exports = {}' }));
  },
};

await build({
  entryPoints: ['src/main.tsx'],
  outfile: join(folder, 'main.js'),
  bundle: true,
  minify: true,
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warning',
  plugins: [scrollbars, noEditor],
});
cpSync('src/index.html', join(folder, 'index.html'));
cpSync('node_modules/@grafana/ui/dist/public', join(folder, 'public'), { recursive: true });
for (const [file, place] of Object.entries(FONTS)) {
  cpSync(join('node_modules/@fontsource', file), join(folder, 'public/fonts', place));
}
