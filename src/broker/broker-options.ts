/** Beside the bus, broker. What a process does, and over which broker; given by the application, checked here. */
import { RowcastError } from '../errors.ts'
import {
  checkOptions,
  is,
  isEither,
  isObject,
  isOneOf,
  maybe,
  type OptionRows,
  option,
  throwFault,
} from '../option.ts'
import type { DurabilityOptions } from '../source/durability-options.ts'
import type { Retention } from '../source/slot/retention-window.ts'
import { ANSWER_TIMEOUT_MS } from '../wire/driver-target.ts'
import { type BrokerAddress, isBrokerAddress } from './engines.ts'

/**
 * `all`: reads the slot and serves subscribers. `tap`: reads the slot and writes to the broker. `gateway`: reads the
 * broker and serves subscribers.
 */
export type Role = 'all' | 'tap' | 'gateway'

/** All roles, in the order documentation lists them. */
export const ROLES: readonly Role[] = ['all', 'tap', 'gateway']

/** Redis, in detail. */
export interface RedisBrokerOptions {
  /** `redis://` or `rediss://`, with user, password and database. */
  readonly url: string
  /** Replicas that must have a change before PostgreSQL may forget it: `WAIT`. @default 0 */
  readonly replicas?: number | undefined
  /** What all keys begin with. @default `rowcast:<system identifier of the database cluster>` */
  readonly prefix?: string | undefined
  /** What the stream keeps; whichever of the two is less. @default 256 MiB, 60 minutes */
  readonly retain?: { readonly bytes?: number | undefined; readonly minutes?: number | undefined } | undefined
}

/** What joins taps and gateways: nothing (`memory`), or Redis by its address or in detail. */
export type BrokerOption = 'memory' | (string & {}) | RedisBrokerOptions

/** The part of the options that is about it. */
export interface ScalingOptions {
  /** What this process does; docs/scaling.md. @default 'all' */
  readonly role?: Role | undefined
  /** What joins taps and gateways: `'memory'` for one process alone, or Redis (or Valkey). @default 'memory' */
  readonly broker?: BrokerOption | undefined
}

/** A Redis broker, checked. */
export interface RedisBroker extends BrokerAddress {
  readonly replicas: number
  /** Null: made of the identifier of the database cluster. */
  readonly prefix: string | null
  readonly retention: Retention
}

/** Role and broker, checked; without a broker the role is `all`. */
export interface Scaling {
  readonly role: Role
  readonly broker: RedisBroker | null
}

/** Several hosts, of Sentinel or of a cluster, are no address either. */
const NO_ADDRESS = 'The address of the broker is not one of Redis: redis:// or rediss://, and one host.'
const PREFIX = /^[A-Za-z0-9_.:-]{1,100}$/
const RETAIN_BYTES = 256 * 1024 * 1024
const RETAIN_MINUTES = 60

const isKept = maybe(
  is<number>((value) => typeof value === 'number' && value > 0, '`broker.retain` does not keep anything.'),
)
const isRedis = isObject(
  {
    url: is<string>(isBrokerAddress, NO_ADDRESS),
    replicas: maybe(
      is<number>((value) => Number.isInteger(value) && Number(value) >= 0, 'is not a number of replicas'),
    ),
    prefix: maybe(
      is<string>((value) => typeof value === 'string' && PREFIX.test(value), 'cannot begin a key'),
    ),
    retain: maybe(isObject({ bytes: isKept, minutes: isKept }, 'does not keep anything')),
  },
  'is neither an address nor { url, … }',
)
const isAddress = is<'memory' | (string & {})>(
  (value) => value === 'memory' || isBrokerAddress(value),
  NO_ADDRESS,
)

/** The rows of these options. @internal: their types are valibot's, which nobody installs */
export const SCALING = {
  role: option({
    check: maybe(isOneOf(['all', 'tap', 'gateway'], `The role is none of ${ROLES.join(', ')}.`)),
    code: 'CONFIG_BAD_BROKER',
    byDefault: "`'all'`",
    meaning:
      "`'tap'` reads the slot and writes to the broker, `'gateway'` reads the broker and serves: [scaling](scaling.md)",
    env: 'ROWCAST_ROLE',
  }),
  broker: option({
    check: maybe(isEither(isRedis, isAddress)),
    code: 'CONFIG_BAD_BROKER',
    byDefault: "`'memory'`",
    meaning: 'the address of a Redis or Valkey, or `{ url, replicas, prefix, retain }`',
    env: 'REDIS_URL',
    withEnv: (url, given) => (typeof given === 'object' && given !== null ? { ...given, url } : url),
  }),
} satisfies OptionRows<ScalingOptions>

/** Checks them. @throws CONFIG_BAD_BROKER */
export function resolveScaling(
  options: ScalingOptions & Pick<DurabilityOptions, 'answerTimeoutMs'>,
): Scaling {
  const given = checkOptions(SCALING, (name) => Reflect.get(options, name), throwFault)
  const { role = 'all', broker = 'memory' } = given
  if (broker === 'memory') {
    if (role === 'all') return { role, broker: null }
    throw new RowcastError('CONFIG_BAD_BROKER', `A ${role} needs a broker.`, {
      hint: 'Set REDIS_URL, or `broker` to the address of a Redis or Valkey: redis://host:6379.',
    })
  }
  const { url, replicas = 0, prefix = null, retain } = typeof broker === 'string' ? { url: broker } : broker
  const { answerTimeoutMs = ANSWER_TIMEOUT_MS } = options
  const { bytes = RETAIN_BYTES, minutes = RETAIN_MINUTES } = retain ?? {}
  return { role, broker: { url, answerTimeoutMs, replicas, prefix, retention: { bytes, minutes } } }
}

/** Refuses to serve subscribers in a tap, which hands everything on and keeps nothing. @throws BROKER_WRONG_ROLE */
export function checkServesChanges(role: Role): void {
  if (role !== 'tap') return
  throw new RowcastError('BROKER_WRONG_ROLE', 'A tap serves no subscriptions.', {
    hint: "Subscribe at a gateway, or run this process with role: 'all'.",
  })
}
