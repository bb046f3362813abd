import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** Links of the pages in a folder to files and anchors of that folder which are not there, as text. */
export function brokenLinks(folder) {
  const files = readdirSync(folder, { recursive: true }).map((name) => join(folder, name))
  const pages = new Map(
    files.filter((file) => /\.(html|svg)$/.test(file)).map((file) => [file, readFileSync(file, 'utf8')]),
  )
  const anchors = new Map([...pages].map(([file, html]) => [file, new Set(valuesOf(html, 'id'))]))
  const broken = []
  for (const [file, html] of pages) {
    for (const link of [...valuesOf(html, 'href'), ...valuesOf(html, 'src')]) {
      if (/^(\w+:|\/\/)/.test(link)) continue // of somebody else's server
      const [path, anchor] = decodeURIComponent(link).split('#')
      const target = path === '' ? file : join(dirname(file), path)
      const missing = !existsSync(target) || statSync(target).isDirectory()
      if (missing || (anchor && !anchors.get(target)?.has(anchor))) broken.push(`${relative(folder, file)}: ${link}`)
    }
  }
  return broken
}

const valuesOf = (html, attribute) =>
  [...html.matchAll(new RegExp(` ${attribute}="([^"]*)"`, 'g'))].map(([, value]) => value.replaceAll('&amp;', '&'))
