/**
 * Beside the spine, generator. What Prisma's DMMF leaves out and the schema's text has: which blocks are
 * views, and the PostgreSQL schema of each enum. Prisma hands generators the text after its own formatter, so
 * a block opens and closes at the start of a line and has one attribute a line.
 */

/** The facts read from the text. */
export interface SchemaTextFacts {
  /** Names of the `view` blocks; the DMMF lists them among the models. */
  readonly views: ReadonlySet<string>
  /** `@@schema` of each enum that has one, by the enum's Prisma name. */
  readonly enumSchemas: ReadonlyMap<string, string>
}

const BLOCK_OPEN = /^(view|enum)\s+(\w+)\s*\{/
const BLOCK_CLOSE = /^\}/
const SCHEMA_ATTRIBUTE = /^\s+@@schema\(\s*(?:map:\s*)?("(?:[^"\\]|\\.)*")\s*\)/

/** Parses the formatted text of a Prisma schema: all its files, one after the other. */
export function parseSchemaText(text: string): SchemaTextFacts {
  const views = new Set<string>()
  const enumSchemas = new Map<string, string>()
  let openEnum: string | null = null
  for (const line of text.split(/\r?\n/)) {
    const [, block, name] = BLOCK_OPEN.exec(line) ?? []
    if (name !== undefined) {
      if (block === 'view') views.add(name)
      openEnum = block === 'enum' ? name : null
    } else if (BLOCK_CLOSE.test(line)) {
      openEnum = null
    } else if (openEnum !== null) {
      const [, literal] = SCHEMA_ATTRIBUTE.exec(line) ?? []
      if (literal !== undefined) enumSchemas.set(openEnum, String(JSON.parse(literal)))
    }
  }
  return { views, enumSchemas }
}
