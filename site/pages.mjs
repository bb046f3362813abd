// A plugin of TypeDoc: the pages of docs/, in this order and under these names, beside those of the API.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Converter, KindRouter } from 'typedoc'

const ROOT = fileURLToPath(new URL('../', import.meta.url))

/** Group → file → name in the navigation. docs/start.md is the first page. */
const PAGES = {
  Use: {
    'docs/cli.md': 'Command line',
    'docs/api.md': 'In a program',
    'docs/npm.md': 'In a page: npm, bundlers, Deno',
    'docs/models.md': 'Models',
    'docs/weights.md': 'Weights of few bits',
    'docs/lora.md': 'LoRAs',
    'docs/caches.md': 'Step caches',
    'docs/from_diffusers.md': 'From diffusers',
    'docs/xdit.md': 'From xDiT',
  },
  'Many devices': {
    'docs/parallel.md': 'One picture on many devices',
    'docs/pipefusion.md': 'How PipeFusion works',
    'docs/memory.md': 'Models, methods and memory',
    'docs/plan.md': 'Planning',
    'docs/cluster.md': 'Several machines',
  },
  Operate: {
    'docs/serving.md': 'Serving',
    'docs/reliability.md': 'Reliability',
    'docs/profiling.md': 'Profiling',
    'docs/verify.md': 'Verifying',
    'integrations/comfyui/README.md': 'ComfyUI',
    'bench/RESULTS.md': 'Measured figures',
  },
  Extend: {
    'docs/add_a_model.md': 'Add a model',
    'docs/add_a_parallel_method.md': 'Add a parallel method',
    'examples/README.md': 'Examples',
    'CONTRIBUTING.md': 'Contributing',
    'CHANGELOG.md': 'Changelog',
  },
}

const START = 'docs/start.md'
const pages = Object.entries(PAGES).flatMap(([group, files]) =>
  Object.entries(files).map(([file, name]) => [file, { group, name }]),
)

/** @param {import('typedoc').Application} app */
export function load(app) {
  const listed = new Map(pages)
  for (const file of readdirSync(`${ROOT}docs`).map((name) => `docs/${name}`)) {
    if (!file.endsWith('.md') || file === START || listed.has(file)) continue
    listed.set(file, { group: 'More', name: headingOf(file) })
  }

  app.on('bootstrapEnd', () =>
    app.options.setValue(
      'projectDocuments',
      [...listed.keys()].map((file) => ROOT + file),
    ),
  )
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, page) => {
    const file = fileOf(page)
    page.frontmatter.group = listed.get(file).group
    page.name = listed.get(file).name
    plainHeadings(page.content)
  })
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    // The first page, which TypeDoc heads with the project's name.
    const [first] = project.readme
    first.text = first.text.replace(/^# .*\n/, '')
    for (const module of project.children) if (module.name === 'index') module.name = 'API'
  })
  app.renderer.defineRouter('pages', Pages)
}

const headingOf = (file) => /^# (.*)$/m.exec(readFileSync(ROOT + file, 'utf8'))?.[1] ?? file

/** TypeDoc makes no anchor of `code` in a heading, where GitHub does. */
function plainHeadings(parts) {
  let heading = false
  for (const part of parts) {
    if (part.kind === 'code' && heading) Object.assign(part, { kind: 'text', text: part.text.replaceAll('`', '') })
    else heading = /(^|\n)#+ [^\n]*$/.test(part.text) || (heading && !part.text.includes('\n'))
  }
}

/** Pages are found under the names of their files. */
class Pages extends KindRouter {
  getIdealBaseName(reflection) {
    if (!reflection.isDocument()) return super.getIdealBaseName(reflection)
    const [, folder, name] = /(?:([^/]+)\/)?([^/]+)\.md$/.exec(fileOf(reflection))
    return `docs/${(name === 'README' ? folder : name).toLowerCase()}`
  }
}

/** The path of a page's source, from the repository's root. */
const fileOf = (page) => page.project.files.getReflectionPath(page).slice(ROOT.length)
