/** Beside the spine, cli. `rowcast why`: asks a running service why a subscription did not get a change. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Explanation } from '../bus/explanation.ts'
import { RowcastError } from '../errors.ts'
import { EXPLAIN_DOCUMENT } from '../graphql/own-documents.ts'
import { ExitCode } from './exit-code.ts'
import { openProject, type ProjectOptions } from './project.ts'
import { readProjectFile } from './project-file.ts'
import { configuredServiceUrl, parseServiceUrl } from './service-address.ts'
import type { PrintContext } from './setup-commands.ts'
import type { Terminal } from './terminal.ts'

/** Options of the command line. */
export interface WhyCommandOptions extends ProjectOptions {
  readonly cursor: string
  /** The text, or the file that holds it. */
  readonly subscription: string
  readonly variables?: string | undefined
  readonly json?: boolean | undefined
  /** Address of the service. @default where the config lets it listen */
  readonly url?: string | undefined
  /** `name: value`, as the client sends them. */
  readonly header?: readonly string[] | undefined
}

const TIMEOUT_MS = 15_000

/** Asks once. Answers with `findings` where the change went no further. @throws CLI_BAD_OPTION, CLI_FILE_UNREADABLE, CLI_NO_ANSWER */
export async function why(
  options: WhyCommandOptions,
  { terminal, ...place }: PrintContext,
): Promise<ExitCode> {
  const file = resolve(place.folder, options.subscription)
  const variables = {
    cursor: options.cursor,
    subscription: existsSync(file) ? String(await readProjectFile(file)) : options.subscription,
    variables: parseVariables(options.variables),
  }
  const headers = Object.fromEntries((options.header ?? []).map(parseHeader))
  const url = parseServiceUrl(options.url) ?? (await configuredUrl(options, place))
  const explanation = await ask(url, headers, variables)
  if (options.json === true) terminal.print(JSON.stringify(explanation))
  else printExplanation(terminal, explanation)
  const isStopped = explanation.steps.some(({ isPassed }) => isPassed !== true)
  return isStopped ? ExitCode.findings : ExitCode.ok
}

async function configuredUrl(
  options: WhyCommandOptions,
  place: Omit<PrintContext, 'terminal'>,
): Promise<string> {
  const { config } = await openProject(options, place)
  return configuredServiceUrl(config)
}

function parseVariables(text: string | undefined): unknown {
  if (text === undefined) return null
  try {
    return JSON.parse(text)
  } catch {
    throw new RowcastError('CLI_BAD_OPTION', '--variables is not JSON.', {
      hint: `Write --variables '{"id": 7}', in quotes.`,
    })
  }
}

/** The value may be a token: it is never repeated. */
function parseHeader(text: string): readonly [string, string] {
  const colon = text.indexOf(':')
  if (colon > 0) return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]
  throw new RowcastError('CLI_BAD_OPTION', 'A --header has no colon.', {
    hint: "Write --header 'authorization: Bearer …'.",
  })
}

async function ask(url: string, headers: Record<string, string>, variables: object): Promise<Explanation> {
  const response = await fetch(new URL('/graphql', url), {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query: EXPLAIN_DOCUMENT, variables }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => null)
  if (response === null) throw noAnswer(`Nothing answers at ${url}.`, 'Say with --url where the service is.')
  const { data, errors } = (await response.json().catch(() => ({}))) as {
    readonly data?: { readonly whyNot: Explanation } | null
    readonly errors?: readonly {
      readonly message: string
      readonly extensions?: { readonly code?: string; readonly hint?: string }
    }[]
  }
  if (data != null) return data.whyNot
  const [error] = errors ?? []
  if (error === undefined) throw noAnswer(`What answers at ${url} is no service of rowcast.`)
  const { code, hint } = error.extensions ?? {}
  // The document is ours: a schema that it does not fit has no such field.
  throw code === 'GRAPHQL_VALIDATION_FAILED'
    ? noAnswer(
        'The service does not explain why.',
        'Set debug: { canExplain: (context) => … } in its config.',
      )
    : noAnswer(error.message, hint)
}

function noAnswer(happened: string, hint?: string): RowcastError {
  return new RowcastError('CLI_NO_ANSWER', happened, { hint })
}

function printExplanation(terminal: Terminal, { isWanted, steps }: Explanation): void {
  for (const { stage, isPassed, text } of steps) {
    const [sign, style] =
      isPassed === null
        ? (['?', 'yellow'] as const)
        : isPassed
          ? (['✓', 'green'] as const)
          : (['✗', 'red'] as const)
    terminal.print(
      `${terminal.style(style, sign)} ${terminal.style('bold', stage.toLowerCase().padEnd(10))}${text}`,
    )
  }
  const verdict =
    isWanted === null
      ? 'Whether such a subscription gets it is not known here.'
      : isWanted
        ? 'A subscription like this one that is open at the change gets it.'
        : 'A subscription like this one does not get it.'
  terminal.print(terminal.style('dim', verdict))
}
