/** The tables of docs/configuration.md, printed from the rows of the options; the text around them is written by hand. */
import { MODEL_OPTIONS } from '../../src/config/model-options.ts'
import { OPTIONS } from '../../src/config/options.ts'
import type { Option } from '../../src/option.ts'

type Rows = Readonly<Record<string, Option>>

/** The page with its tables printed once more, each between the comments that name it. @throws where a table has no place */
export function withConfigTables(page: string): string {
  const tables = {
    file: formatOptions(OPTIONS),
    models: formatOptions(MODEL_OPTIONS),
    environment: formatVariables(OPTIONS),
  }
  return Object.entries(tables).reduce((text, [name, table]) => {
    const [begin, end] = [`<!-- ${name}: printed by npm run docs:config -->\n`, `<!-- end of ${name} -->`]
    const [before, rest] = [text.split(begin)[0] ?? '', text.split(begin)[1]]
    const after = rest?.split(end)[1]
    if (after === undefined) throw new Error(`docs/configuration.md has no place for the table "${name}".`)
    return `${before}${begin}\n${table}\n${end}${after}`
  }, page)
}

function formatOptions(rows: Rows): string {
  const lines = Object.entries(rows)
    .filter(([, { isOfEnvironment }]) => isOfEnvironment === undefined)
    .map(([name, { byDefault, meaning }]) => `| \`${name}\` | ${byDefault} | ${meaning} |`)
  return `| Option | Default | Meaning |\n|---|---|---|\n${lines.join('\n')}\n`
}

function formatVariables(rows: Rows): string {
  const lines = Object.entries(rows).flatMap(([name, { env, isOfEnvironment, meaning }]) =>
    env === undefined ? [] : [`| \`${env}\` | ${isOfEnvironment === undefined ? `\`${name}\`` : meaning} |`],
  )
  return `| Variable | Meaning |\n|---|---|\n${lines.join('\n')}\n`
}
