/** Beside the spine, cli. What the program's exit codes mean; 2 (bad usage) is commander's. */
export const ExitCode = {
  /** It did what it was asked for. */
  ok: 0,
  /** It failed; the message says why and what to do. */
  failed: 1,
  /** There is something to do: `doctor` found an error, `disable` was not given --yes. */
  findings: 3,
} as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]
