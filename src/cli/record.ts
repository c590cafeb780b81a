/** Beside the spine, cli. `rowcast record`: what PostgreSQL sends, to a file. */
import type { StreamOrigin } from '../changes/change-position.ts'
import { openLookStream } from '../source/session/tail-session.ts'
import { ExitCode } from './exit-code.ts'
import { openProject, type ProjectOptions } from './project.ts'
import { createRecording, type RecordingWriter } from './recording.ts'
import { untilAborted } from './stop-signals.ts'
import type { LookContext } from './tail.ts'

/** Options of the command line. */
export interface RecordOptions extends ProjectOptions {
  readonly json?: boolean | undefined
}

/** Writes what commits from now on to a new file, until stopped. */
export async function record(file: string, options: RecordOptions, context: LookContext): Promise<ExitCode> {
  const { target, goal } = await openProject(options, context)
  const { terminal, notes, stop } = context
  // Messages may come before the file is there.
  const early: Buffer[] = []
  let origin: StreamOrigin | null = null
  let writer: RecordingWriter | null = null
  const { publication } = goal
  const stream = await openLookStream(
    { target, publication, slot: null, after: null, applicationName: 'rowcast record' },
    {
      onStart(start) {
        origin = start.origin
      },
      onMessage(bytes, start, end) {
        if (writer === null) early.push(Buffer.from(bytes.subarray(start, end)))
        else writer.write(bytes, start, end)
      },
      backlog: () => writer?.backlog() ?? null,
    },
  )
  try {
    const { systemId, timeline } = origin ?? { systemId: '0', timeline: 0 }
    writer = await createRecording(file, { systemId, timeline, publication })
    for (const frame of early.splice(0)) writer.write(frame, 0, frame.length)
    if (options.json !== true) {
      notes.print(notes.style('dim', `Recording to ${file}. Ctrl-C ends it.`))
      notes.print(
        notes.style(
          'yellow',
          'It holds every column of every published row, hidden fields too: keep it as you keep a dump.',
        ),
      )
    }
    await Promise.race([stream.closed, writer.failed, untilAborted(stop.listen())])
  } finally {
    stream.closed.catch(() => undefined)
    await stream.close()
    await writer?.close()
  }
  const { frames, bytes } = writer
  if (options.json === true) terminal.print(JSON.stringify({ file, messages: frames, bytes }))
  else notes.print(`${frames} messages, ${bytes} bytes, in ${file}.`)
  return ExitCode.ok
}
