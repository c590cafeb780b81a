/** Beside the spine, cli. The text of the rowcast.config.ts that `init` writes. Pure. */

/** What it says. */
export interface ConfigTextParts {
  /** Import of the Prisma Client. */
  readonly client: string
  /** Import of the catalog. */
  readonly catalog: string
  readonly isDotenvRead: boolean
  /** From the config's folder; undefined where `rowcast plan` finds it. */
  readonly migrationsFolder: string | undefined
  /** A model for the example of a policy. */
  readonly model: string | undefined
}

/** Writes it; it compiles under every tsconfig.json, and so does the example once it is no comment any more. */
export function configText(parts: ConfigTextParts): string {
  const { client, catalog, isDotenvRead, migrationsFolder, model } = parts
  const dev =
    migrationsFolder === undefined
      ? ''
      : `  dev: { migrationsFolder: ${JSON.stringify(migrationsFolder)} },\n`
  const example =
    model === undefined
      ? ''
      : `  // With NODE_ENV=production each model needs a policy or \`public: true\`. For instance, for staff only:
  // context: ({ headers }) => ({ context: { isStaff: headers["x-staff"] === "yes" } }), // yours looks at a token
  // models: { ${model}: { rows: (viewer) => (Reflect.get(viewer, "isStaff") === true ? "all" : "none") } },
`
  return `${isDotenvRead ? 'import "dotenv/config"\n' : ''}import { PrismaPg } from "@prisma/adapter-pg"
import { defineConfig } from "rowcast"
import { PrismaClient } from "${client}"
import { catalog } from "${catalog}"

export default defineConfig({
  catalog,
  createPrisma: (connectionString) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
  // Which models are live, and who may see what of them.
${example}  models: "all",
${dev}})
`
}
