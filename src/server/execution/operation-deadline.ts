/**
 * Stage 8, server. The end of operations that have none of their own: a resolver of the application may never answer, and would hold its
 * operation, and what is bounded in number with it, for ever. What it gives after its time is nobody's.
 */
import type { ExecutionArgs, ExecutionResult } from 'graphql'
import { graphqlError } from '../../graphql/graphql-errors.ts'
import { abandonOperation } from '../../graphql/reading/read-pool.ts'
import { withinTime } from '../../within-time.ts'
import type { PipelinePlugin } from '../session/connection-state.ts'
import { isQuery } from './abandoned-queries.ts'

/** The deadline of one server's operations. */
export interface OperationDeadline {
  /** Ends queries and mutations. Subscriptions have ways of their own: `within`. */
  readonly plugin: PipelinePlugin
  /** What resolvers give, unless the time is over before. @throws OPERATION_TIMEOUT */
  within<Result>(work: PromiseLike<Result>): Promise<Result>
}

/** Creates it. @param timeoutMs from the first resolver to the result */
export function createOperationDeadline(timeoutMs: number): OperationDeadline {
  const late = () => graphqlError('OPERATION_TIMEOUT', `The operation has no result after ${timeoutMs} ms.`)
  const within = <Result>(work: PromiseLike<Result>): Promise<Result> => withinTime(work, timeoutMs, late)
  const end = async (args: ExecutionArgs, result: PromiseLike<ExecutionResult>) => {
    try {
      return await within(result)
    } catch (error) {
      // What it has not read yet, nobody waits for; a mutation goes on.
      if (isQuery(args)) abandonOperation(args.contextValue)
      return { data: null, errors: [error] }
    }
  }
  return {
    within,
    plugin: {
      onExecute({ executeFn, setExecuteFn }) {
        setExecuteFn((args: ExecutionArgs) => {
          const result: ExecutionResult | PromiseLike<ExecutionResult> = executeFn(args)
          return 'then' in result ? end(args, result) : result
        })
      },
    },
  }
}
