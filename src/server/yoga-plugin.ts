/** Stage 8, server. The pipeline as a plugin of a Yoga that is somebody else's: its requests go through the same checks and shared results. */
import { RowcastError } from '../errors.ts'
import { operationContext } from './graphql-pipeline.ts'
import { createBodyLimit } from './http/body-limit.ts'
import type { ForeignYogaPlugin } from './serving-control.ts'
import type { ServingParts } from './serving-parts.ts'
import { CONNECTION, type PipelinePlugin } from './session/connection-state.ts'
import { refusalOfPage } from './upgrade-gate.ts'

export function createYogaPlugin(parts: ServingParts): ForeignYogaPlugin {
  const { requestBytesMax } = parts.limits
  const checks = [createPageCheck(parts), createBodyLimit(requestBytesMax)]
  const plugins = [...checks, ...parts.endpoints.main.plugins, createSessionContext(parts)]
  return {
    onPluginInit({ addPlugin }) {
      // Each is put right behind this one.
      for (const plugin of plugins.toReversed()) addPlugin(masksThrown(plugin, parts))
    },
  }
}

/** CORS is that Yoga's own, and lets every page in by default; of names it asks nothing. */
function createPageCheck(parts: ServingParts): PipelinePlugin {
  return {
    onRequestParse({ request: { headers } }) {
      if (parts.state.isClosing) throw new RowcastError('SERVER_STOPPING', 'The server is stopping.')
      const [origin, host] = [headers.get('origin') ?? undefined, headers.get('host') ?? undefined]
      const refusal = refusalOfPage({ origin, host }, parts)
      if (refusal === null) return
      parts.refusals.note({ origin, host }, refusal)
      const hint = 'hint' in refusal ? { hint: refusal.hint } : {}
      throw new RowcastError(refusal.code, refusal.message, hint)
    },
  }
}

const NO_SESSION = 'An operation came to a Yoga without a session.'
const NO_SESSION_HINT =
  'For WebSockets call `useServer(webSocketServer)` of the same handlers in place of graphql-ws’s. `yogaPlugin` needs a Yoga on node:http.'

/** Reports once who comes past: to clients that is an unexpected error. */
function createSessionContext({ logger }: ServingParts): PipelinePlugin {
  let isReported = false
  return {
    onContextBuilding({ context, extendContext }) {
      if (context[CONNECTION] === undefined) {
        if (!isReported) logger.error(NO_SESSION, { code: 'GRAPHQL_NO_CONTEXT', hint: NO_SESSION_HINT })
        isReported = true
        throw new RowcastError('GRAPHQL_NO_CONTEXT', NO_SESSION, { hint: NO_SESSION_HINT })
      }
      extendContext(operationContext(context))
    },
  }
}

/** That Yoga hides what is no GraphQLError. */
function masksThrown(plugin: PipelinePlugin, { errorMask }: ServingParts): PipelinePlugin {
  const { onRequestParse, onParams } = plugin
  const masked = async (run: () => unknown): Promise<void> => {
    try {
      await run()
    } catch (error) {
      throw errorMask.mask(error)
    }
  }
  return {
    ...plugin,
    ...(onRequestParse && { onRequestParse: (payload) => masked(() => onRequestParse(payload)) }),
    ...(onParams && { onParams: (payload) => masked(() => onParams(payload)) }),
  }
}
