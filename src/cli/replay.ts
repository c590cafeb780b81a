/** Beside the spine, cli. `rowcast replay`: a recording through the whole pipeline, with no PostgreSQL. */
import { setTimeout } from 'node:timers/promises'
import type { TransactionPart } from '../changes/change.ts'
import { RowcastError } from '../errors.ts'
import { createFramePipeline, type FramePipeline } from '../source/session/frame-pipeline.ts'
import type { ChangeChoice } from './change-filter-options.ts'
import { ExitCode } from './exit-code.ts'
import { checkPeers } from './peers.ts'
import { openProject, type Project, type ProjectOptions, withMoneyScale } from './project.ts'
import { openRecording, type RecordingReader } from './recording.ts'
import { untilAborted } from './stop-signals.ts'
import { createChangePrinter, type LookContext, pipelineParts } from './tail.ts'

/** Options of the command line. */
export interface ReplayOptions extends ProjectOptions, ChangeChoice {
  readonly json?: boolean | undefined
  readonly limit?: string | undefined
  /** Serves them as subscriptions instead of printing them. */
  readonly serve?: boolean | undefined
  /** Serves them though nobody can say whose session holds. */
  readonly withoutSessions?: boolean | undefined
  /** Milliseconds between two transactions that are served. @default '500' */
  readonly interval?: string | undefined
}

/** Whole rows of a file are for others' eyes only where the command line says so: HOST and the config are about the service. */
const LOOPBACK = '127.0.0.1'

/** Prints or serves the changes of a recording. Connects to no PostgreSQL. */
export async function replay(
  file: string,
  names: readonly string[],
  options: ReplayOptions,
  context: LookContext,
): Promise<ExitCode> {
  const isServed = options.serve === true
  const project = await openProject(
    { ...options, host: options.host ?? LOOPBACK, databaseUrl: standInAddress(context) },
    { ...context, isServed, needsSessions: isServed && options.withoutSessions !== true },
  )
  const recording = await openRecording(file)
  try {
    if (isServed) await serveRecording(recording, project, options, context)
    else await printRecording(recording, project, { ...options, names }, context)
  } finally {
    await recording.close()
  }
  const { notes } = context
  if (recording.isCut)
    notes.print(notes.style('yellow', 'The recording ends within a message; all before it was read.'))
  return ExitCode.ok
}

/** The config asks for an address, which only queries and relation fields of --serve would use. */
function standInAddress({ env }: LookContext): string | undefined {
  return (env['DATABASE_URL'] ?? '') === '' ? 'postgresql://nobody@127.0.0.1:1/none' : undefined
}

async function printRecording(
  recording: RecordingReader,
  project: Project,
  { names, ...options }: ReplayOptions & { readonly names: readonly string[] },
  { terminal, notes, stop }: LookContext,
): Promise<void> {
  const stopped = new AbortController()
  const counted = withMoneyScale(project, () => pipeline.registry.moneyScale)
  const printer = createChangePrinter(counted, names, options, {
    terminal,
    onLimit: () => stopped.abort(),
  })
  const signal = AbortSignal.any([stop.listen(), stopped.signal])
  const pipeline: FramePipeline = createFramePipeline({
    ...pipelineParts(project, notes),
    origin: recording.header,
    publish({ changes }) {
      for (const change of changes) printer.show(change)
    },
  })
  for await (const frame of recording.frames()) {
    pipeline.accept(frame, 0, frame.length)
    await terminal.backlog()
    if (signal.aborted) break
  }
  if (options.json !== true) notes.print(notes.style('dim', `${printer.count} changes.`))
}

/** Plays it to whoever subscribes, one transaction after the other, and stays for questions. */
async function serveRecording(
  recording: RecordingReader,
  project: Project,
  options: ReplayOptions,
  { terminal, notes, stop, folder }: LookContext,
): Promise<void> {
  const intervalMs = readInterval(options.interval)
  const stopping = stop.listen()
  const parts: TransactionPart[] = []
  const pipeline: FramePipeline = createFramePipeline({
    ...pipelineParts(project, notes),
    origin: recording.header,
    publish: (part) => parts.push(part),
  })
  checkPeers({ folder, mayLackPothos: project.config.makeSchema !== null })
  const { createReplayService } = await import('./replay-service.ts')
  const counted = withMoneyScale(project, () => pipeline.registry.moneyScale)
  const service = await createReplayService(counted, recording.header, pipeline.registry, notes)
  const { url } = await service.start()
  try {
    terminal.print(
      '',
      `  ${terminal.style('bold', project.config.graphiql ? 'GraphiQL' : 'GraphQL')}  ${terminal.style('cyan', `${url}/graphql`)}`,
      '',
    )
    notes.print(notes.style('dim', 'The recording begins when somebody subscribes. Ctrl-C ends it.'))
    if (!(await waitForSubscriber(service.hasSubscribers, stopping))) return
    for await (const frame of recording.frames()) {
      pipeline.accept(frame, 0, frame.length)
      for (const part of parts.splice(0)) {
        service.publish(part)
        await setTimeout(intervalMs, undefined, { signal: stopping }).catch(() => undefined)
      }
      if (stopping.aborted) return
    }
    notes.print(notes.style('dim', 'That was all of it.'))
    await untilAborted(stopping)
  } finally {
    await service.stop()
  }
}

const SUBSCRIBER_POLL_MS = 100

async function waitForSubscriber(hasSubscribers: () => boolean, signal: AbortSignal): Promise<boolean> {
  while (!hasSubscribers() && !signal.aborted) {
    await setTimeout(SUBSCRIBER_POLL_MS, undefined, { signal }).catch(() => undefined)
  }
  return !signal.aborted
}

function readInterval(text = '500'): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new RowcastError('CLI_BAD_OPTION', `--interval is no number of milliseconds: ${text}.`)
}
