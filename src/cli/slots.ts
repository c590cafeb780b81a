/** Beside the spine, cli. `rowcast slots`: which slots of rowcast the server has, what they hold, and the end of one. */
import {
  dropFromInventory,
  type InventorySlot,
  isLeftBehind,
  readSlotInventory,
} from '../source/slot/slot-inventory.ts'
import { formatBytes } from './doctor/examination.ts'
import { ExitCode } from './exit-code.ts'
import { openProject, type Project, type ProjectOptions, reportOf, withProjects } from './project.ts'
import type { PrintContext } from './setup-commands.ts'
import type { Terminal } from './terminal.ts'

/** Options of the command line. */
export interface SlotsOptions extends ProjectOptions {
  readonly json?: boolean | undefined
  /** Name of the slot to drop. */
  readonly drop?: string | undefined
  /** Drops one of which nothing says that it is rowcast's. */
  readonly foreign?: boolean | undefined
}

/**
 * Lists them, or drops one. Answers with `findings` where one was left behind.
 * @throws CLI_BAD_OPTION, SOURCE_SLOT_IN_USE, SOURCE_PERMISSION_DENIED
 */
export async function slots(options: SlotsOptions, context: PrintContext): Promise<ExitCode> {
  return options.drop === undefined
    ? withProjects(options, context, (project) => list(project, options, context))
    : drop(options.drop, options, context)
}

/** Of one server: where there are several databases, one is named. */
async function drop(name: string, options: SlotsOptions, context: PrintContext): Promise<ExitCode> {
  const { terminal, ...place } = context
  const { target, goal } = await openProject(options, place)
  const slot = await dropFromInventory(target, { name, project: goal.slot, isForeign: options.foreign })
  if (options.json === true) terminal.print(JSON.stringify({ dropped: toReport(slot) }))
  else terminal.print(`Dropped slot "${slot.name}", which held ${bytesOf(slot)} of WAL.`)
  return ExitCode.ok
}

async function list(project: Project, options: SlotsOptions, { terminal }: PrintContext): Promise<ExitCode> {
  const found = await readSlotInventory(project.target, project.goal.slot)
  const left = found.filter(isLeftBehind)
  if (options.json === true) terminal.print(reportOf(project, { slots: found.map(toReport) }))
  else printSlots(terminal, found, left)
  return left.length === 0 ? ExitCode.ok : ExitCode.findings
}

function toReport(slot: InventorySlot) {
  return { ...slot, isLeftBehind: isLeftBehind(slot) }
}

const bytesOf = ({ heldBytes }: InventorySlot) => formatBytes(heldBytes)

function printSlots(
  terminal: Terminal,
  found: readonly InventorySlot[],
  left: readonly InventorySlot[],
): void {
  if (found.length === 0) terminal.print('There is no slot of rowcast on this server.')
  for (const slot of found) {
    const status = slot.invalidationReason ?? slot.walStatus
    terminal.print(
      `${terminal.style('bold', slot.name)}  ${describeOrigin(slot)}${slot.isOnStandby ? ', on the standby' : ''}`,
      `    holds ${bytesOf(slot)} of WAL${status === null ? '' : ` (${status})`}; ${describeReader(slot)}`,
    )
  }
  if (left.length === 0) return
  const names = left.map(({ name }) => name).join(', ')
  terminal.print(
    '',
    `Nobody reads ${names}. Where the deployment is gone or has another slot by now, drop it:`,
    `  rowcast slots --drop ${left[0]?.name}`,
    'Where it only rests, leave it: without its slot it misses what is written meanwhile, and its clients query again.',
  )
}

function describeReader({ activePid, reader, inactiveSince }: InventorySlot): string {
  if (activePid !== null) return `read by process ${activePid}${reader === null ? '' : ` ("${reader}")`}`
  return inactiveSince === null ? 'nobody reads it' : `nobody reads it since ${inactiveSince}`
}

function describeOrigin({ origin, database, markOf, isTemporary }: InventorySlot): string {
  const where = database === null ? '' : ` of database ${database}`
  switch (origin) {
    case 'project':
      return `this project's${where}`
    case 'moved':
      return `this project's, from before a standby had its slot${where}`
    case 'default':
      return `the default slot${where}`
    case 'reader':
      return `another deployment's${where}`
    case 'name':
      return `another deployment's${where}, by its name`
    case 'look':
      return `temporary, of \`rowcast tail\` or \`record\`${where}`
    case 'mark':
      return markOf === null
        ? 'made by `rowcast skip`, beside a slot that is gone'
        : `made by \`rowcast skip\`, beside ${markOf}`
    case 'unknown':
      return `not known to be rowcast's${where}${isTemporary ? ', temporary' : ''}`
  }
}
