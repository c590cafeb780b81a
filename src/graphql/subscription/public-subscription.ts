/** Stage 7, graphql. A subscription as clients may have it. A class: there are many thousands of them. */
import { MappedIteration } from '../../async-iteration.ts'
import type { ChangeEvent, EventSubscription } from '../../sets/row-subscription.ts'
import { toSubscriptionError } from '../graphql-errors.ts'

const asItIs = (event: ChangeEvent) => event

/** The same subscription; an error that ends it reaches the client with code and hint where it may. */
export class PublicSubscription
  extends MappedIteration<ChangeEvent, ChangeEvent>
  implements EventSubscription
{
  readonly #from: EventSubscription

  constructor(from: EventSubscription) {
    super(from, asItIs, toSubscriptionError)
    this.#from = from
  }

  get pull() {
    return this.#from.pull
  }
}
