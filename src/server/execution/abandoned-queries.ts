/**
 * Stage 8, server. What operations read, until they have their result; of a query whose client has left it is read no further. Others
 * wait for the same statements, and whoever asks and leaves a thousand times would keep them waiting.
 */
import type { ServerResponse } from 'node:http'
import { type ExecutionArgs, getOperationAST, OperationTypeNode } from 'graphql'
import { abandonOperation, beginOperation } from '../../graphql/reading/read-pool.ts'
import type { Guard } from '../../guard.ts'
import { type PipelinePlugin, RESPONSE } from '../session/connection-state.ts'

/** Counts what is read for each operation. */
export function createReadsPlugin(guard: Guard): PipelinePlugin {
  return {
    onExecute({ args }) {
      const end = beginOperation(args.contextValue)
      const response: ServerResponse | undefined = Reflect.get(Object(args.contextValue), RESPONSE)
      if (response === undefined || !isQuery(args)) return { onExecuteDone: end }
      const leave = guard.wrap('abandon a query', () => abandonOperation(args.contextValue))
      response.once('close', leave)
      // It may have closed while the operation waited for its turn.
      if (response.closed) leave()
      return {
        onExecuteDone() {
          response.off('close', leave)
          end()
        },
      }
    },
  }
}

/** Of a mutation a part may have been done: it goes on. */
export function isQuery({
  document,
  operationName,
}: Pick<ExecutionArgs, 'document' | 'operationName'>): boolean {
  return getOperationAST(document, operationName)?.operation === OperationTypeNode.QUERY
}
