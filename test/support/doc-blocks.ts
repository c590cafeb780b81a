/** The code blocks of README and docs. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** One fenced block. */
export interface DocBlock {
  /** `docs/resume.md:24`. */
  readonly place: string
  readonly language: string
  readonly text: string
}

/** Every page of words. */
export function listPages(): readonly string[] {
  const docs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))
  return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...docs.map((name) => `docs/${name}`)]
}

/** Every block of one language, or all. */
export function listBlocks(language?: string): readonly DocBlock[] {
  return listPages().flatMap((page) => {
    const lines = readFileSync(join(ROOT, page), 'utf8').split('\n')
    const blocks: DocBlock[] = []
    for (let index = 0; index < lines.length; index += 1) {
      const open = /^( *)```(\S*)$/.exec(lines[index] ?? '')
      if (open === null) continue
      const end = lines.indexOf(`${open[1]}\`\`\``, index + 1)
      if (end < 0) throw new Error(`${page}:${index + 1}: the block does not end.`)
      const indent = open[1]?.length ?? 0
      const text = lines.slice(index + 1, end).map((line) => line.slice(indent))
      blocks.push({ place: `${page}:${index + 1}`, language: open[2] ?? '', text: text.join('\n') })
      index = end
    }
    return blocks.filter((block) => language === undefined || block.language === language)
  })
}

/** Every line of words that stands in no block. */
export function linesOfPages(): readonly Omit<DocBlock, 'language'>[] {
  return listPages().flatMap((page) => {
    let isCode = false
    return readFileSync(join(ROOT, page), 'utf8')
      .split('\n')
      .flatMap((text, index) => {
        const isFence = /^ *```/.test(text)
        if (isFence) isCode = !isCode
        return isCode || isFence ? [] : [{ place: `${page}:${index + 1}`, text }]
      })
  })
}
