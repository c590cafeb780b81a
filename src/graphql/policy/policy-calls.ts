/** Stage 7, graphql. Calls of policies: functions of the application, which may throw, or never answer. */
import { RowcastError } from '../../errors.ts'
import { withinTime } from '../../within-time.ts'

/** For the log, which has names of errors: clients need not know which policy it is. */
class LatePolicy extends Error {
  readonly code = 'POLICY_TIMEOUT'

  /** @param name as `Post.rows` */
  constructor(name: string) {
    super('It has not answered.')
    this.name = name
  }
}

/** Those of one schema. */
export class PolicyCalls {
  #timeoutMs = 10_000

  /** A policy may take as long as all that an operation reads. */
  limit({ timeoutMs }: { readonly timeoutMs?: number | undefined }): void {
    if (timeoutMs !== undefined) this.#timeoutMs = timeoutMs
  }

  /**
   * What a policy answers; what it throws is for the log.
   * @param of its model
   * @param name what it is called there
   * @throws POLICY_FAILED where it throws, POLICY_TIMEOUT where it does not answer in time
   */
  async ask<Answer>(of: string, name: string, call: () => Answer): Promise<Awaited<Answer>> {
    let ownLate: RowcastError | undefined
    const late = () => {
      const cause = new LatePolicy(`${of}.${name}`)
      ownLate = new RowcastError('POLICY_TIMEOUT', 'A policy has not answered in time.', { cause })
      return ownLate
    }
    try {
      const given = call()
      return await (isThenable(given) ? withinTime(given, this.#timeoutMs, late) : given)
    } catch (cause) {
      if (ownLate !== undefined && cause === ownLate) throw cause
      throw new RowcastError('POLICY_FAILED', `The policy \`${name}\` of ${of} threw.`, { cause })
    }
  }
}

/** Query builders are functions, too. */
function isThenable(value: unknown): value is PromiseLike<never> {
  return (typeof value === 'function' || (typeof value === 'object' && value !== null)) && 'then' in value
}
