// What `webpack` does with these settings, of which none is for webdit.
import { cpSync } from 'node:fs'
import { resolve } from 'node:path'
import webpack from 'webpack'

const settings = {
  mode: 'production',
  entry: './main.js',
  output: { path: resolve('dist'), filename: 'main.js' },
  performance: { hints: false },
}

webpack(settings, (error, stats) => {
  if (error) throw error
  if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString())
  cpSync('index.html', 'dist/index.html')
})
