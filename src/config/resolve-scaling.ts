/** The part of the config that says what a process does and over which broker: file, environment, command line. Pure. */
import { resolveScaling, type ScalingOptions } from '../broker/broker-options.ts'
import { type Faults, type Fields, isFields } from './config-faults.ts'

/** What counts before the file; the command line before the environment. */
export interface ScalingOverrides {
  readonly role: string | undefined
  readonly redisUrl: string | undefined
}

/** Reads `role` and `broker`; faults are added. */
export function readScaling(fields: Fields, overrides: ScalingOverrides, faults: Faults): ScalingOptions {
  const { broker: given } = fields
  const { redisUrl } = overrides
  const broker = redisUrl === undefined ? given : isFields(given) ? { ...given, url: redisUrl } : redisUrl
  const scaling = { role: overrides.role ?? fields['role'], broker } as ScalingOptions
  faults.catch<unknown>(() => resolveScaling(scaling), null)
  return scaling
}
