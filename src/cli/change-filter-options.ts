/** Beside the spine, cli. Which changes `tail` and `replay` show: models, actions, a `where`. */
import { type ChangeFilter, parseChangeFilter } from '../bus/filter/change-filter.ts'
import { judgeChange } from '../bus/filter/judge-change.ts'
import type { AnyChange } from '../changes/change.ts'
import { CHANGE_ACTIONS } from '../changes/change.ts'
import { RowcastError } from '../errors.ts'
import { chooseModels, type Project } from './project.ts'

/** Options of the command line. */
export interface ChangeChoice {
  readonly where?: string | undefined
  readonly action?: readonly string[] | undefined
}

/** Whether a change is to be shown. @throws CATALOG_UNKNOWN_MODEL, BAD_FILTER, CLI_BAD_OPTION */
export function createChangeChooser(
  project: Project,
  names: readonly string[],
  { where, action = [] }: ChangeChoice,
): (change: AnyChange) => boolean {
  const models = new Set(chooseModels(project, names).map((model) => model.name))
  const actions = new Set(action.map((each) => each.toUpperCase()))
  const unknown = [...actions].find((each) => !CHANGE_ACTIONS.some((known) => known === each))
  if (unknown !== undefined) {
    throw new RowcastError('CLI_BAD_OPTION', `There is no action "${unknown}".`, {
      hint: `Use ${CHANGE_ACTIONS.join(', ')}.`,
    })
  }
  const filter = where === undefined ? null : parseFilter(project, [...models], where)
  return (change) =>
    models.has(change.model) &&
    (actions.size === 0 || actions.has(change.action)) &&
    (filter === null || judgeChange(filter, change).verdict !== 'miss')
}

function parseFilter(
  { config, models }: Project,
  names: readonly string[],
  text: string,
): ChangeFilter | null {
  const [name, ...others] = names
  const model = models.find((each) => each.name === name)
  if (model === undefined || others.length > 0) {
    throw new RowcastError('CLI_BAD_OPTION', 'A --where is about one model.', {
      hint: `Name it: rowcast tail User --where '${text}'`,
    })
  }
  let where: unknown
  try {
    where = JSON.parse(text)
  } catch {
    throw new RowcastError('CLI_BAD_OPTION', '--where is not JSON.', {
      hint: `Write it as in Prisma, in JSON: --where '{"email": {"endsWith": "@example.com"}}'`,
    })
  }
  return parseChangeFilter(model, config.catalog, { where })
}
