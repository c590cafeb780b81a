/** Stage 6, bus. Where a source's changes go: to the bus of its own process, or by a relay to others'. */

import type { ReplicationSourceOptions } from '../source/session/source-options.ts'
import type { InProcessBus } from './bus.ts'
import { callAll } from './call-all.ts'
import type { MessageHub } from './message-hub.ts'

/** The outgoing side of a source. */
export type SourceSink = Pick<
  ReplicationSourceOptions,
  | 'onStreamStarted'
  | 'publish'
  | 'onPassed'
  | 'onSeen'
  | 'onGap'
  | 'onDrift'
  | 'onRecovery'
  | 'onCut'
  | 'onBlocked'
  | 'onStandAside'
  | 'onMessage'
  | 'lastChanges'
  | 'relay'
  | 'awaited'
>

/** Changes stay in the process. */
export function busSink(bus: InProcessBus, hub: MessageHub): SourceSink {
  return {
    onStreamStarted: (start) => bus.open(start),
    publish: (part) => bus.publish(part),
    onPassed: (lsn) => bus.passed(lsn),
    onSeen: (lsn) => bus.history?.earlier.reaches(lsn),
    onGap: (error) => bus.gap(error),
    onDrift: (model, drift) => bus.close(drift, model),
    onRecovery: (model) => bus.cut(model),
    onCut: (model, cut) => bus.cut(model, cut),
    onBlocked: (blocked) => bus.hold(blocked),
    onStandAside: (isAside) => callAll([bus, hub], (each) => each.standAside(isAside)),
    onMessage: (message) => hub.publish(message),
    lastChanges: bus.lastChanges,
    awaited: bus.awaited,
  }
}

/** Nothing is for this process: nor does anybody wait here who had to be sent away. */
export const NO_SINK: SourceSink = {
  onStreamStarted() {},
  publish() {},
  onPassed() {},
  onSeen() {},
  onGap() {},
  onDrift() {},
  onRecovery() {},
  onCut() {},
  onBlocked() {},
  onMessage: () => false,
}
