// npm run site: docs/ and the API as pages, in site/dist. A link that leads nowhere fails it.
import { fileURLToPath } from 'node:url'
import { Application, TypeDocReader } from 'typedoc'
import { brokenLinks } from './broken_links.mjs'

const OUT = fileURLToPath(new URL('dist', import.meta.url))

const app = await Application.bootstrapWithPlugins(
  { options: fileURLToPath(new URL('typedoc.json', import.meta.url)) },
  [new TypeDocReader()],
)
const project = await app.convert()
if (!project || app.logger.hasErrors()) process.exit(1)
app.validate(project)
await app.generateOutputs(project)
// TypeDoc tells of most; this looks at what it wrote.
const broken = brokenLinks(OUT)
for (const link of broken) console.error(link)
if (broken.length > 0 || app.logger.hasErrors()) process.exit(1)
