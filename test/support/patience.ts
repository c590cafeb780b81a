/**
 * `vi.waitUntil` and `vi.waitFor` have a second of their own by default, which is a measure of the machine and no bound of ours.
 * `expect.poll` gets the same in vitest.config.ts.
 */
import { vi } from 'vitest'
import { PATIENCE_MS } from './patience-ms.ts'

type WaitOptions = Parameters<typeof vi.waitUntil>[1]

function patient(options: WaitOptions): WaitOptions {
  return typeof options === 'number' ? options : { timeout: PATIENCE_MS, ...options }
}

/** Once in a process: files that share it share `vi`. */
function makePatient(): void {
  const { waitFor, waitUntil } = vi
  vi.waitFor = function patientWaitFor(callback, options) {
    return waitFor(callback, patient(options))
  }
  vi.waitUntil = (callback, options) => waitUntil(callback, patient(options))
}

if (vi.waitFor.name !== 'patientWaitFor') makePatient()
