/** What a benchmark is, and what comes out of one. */
import type { BenchDatabase } from './database.ts'

/** What a benchmark may use, and how much of it. */
export interface BenchContext {
  /** How often each contender runs; the medians count. */
  readonly rounds: number
  /** A tiny form that only shows that everything still works. */
  readonly isSmoke: boolean
  /** Whether the scenario is to run: all do unless one was named. Only benchmarks of many scenarios ask. */
  isWanted(scenario: string): boolean
  /** Takes `full`, or `tiny` in a smoke run. */
  size(full: number, tiny: number): number
  /** A fresh database with the table of orders, on a PostgreSQL that all benchmarks share. */
  openDatabase(name: string): Promise<BenchDatabase>
  /** Process id of that PostgreSQL. */
  postgresPid(): Promise<number>
  /** One line on the terminal while a benchmark runs. */
  note(text: string): void
}

/** One measurement: the name of what was measured, with its unit, and the value. */
export type Measures = Readonly<Record<string, number>>

/** What one contender did in one case, round by round. */
export interface Run {
  readonly scenario: string
  readonly contender: string
  readonly rounds: readonly Measures[]
}

/** Two medians compared. */
export interface Ratio {
  readonly what: string
  readonly value: number
  /** What it is to be, in words; null where there is no target. */
  readonly target: string | null
}

/** What a benchmark found. */
export interface BenchResult {
  readonly runs: readonly Run[]
  readonly ratios: readonly Ratio[]
}

/** One benchmark. */
export interface Benchmark {
  readonly name: string
  readonly about: string
  run(context: BenchContext): Promise<BenchResult>
}

/** The middle value; the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

/** Collects runs while a benchmark alternates between contenders. */
export class RunBook {
  readonly #runs = new Map<string, { scenario: string; contender: string; rounds: Measures[] }>()

  add(scenario: string, contender: string, measures: Measures): void {
    const key = `${scenario}\n${contender}`
    const run = this.#runs.get(key) ?? { scenario, contender, rounds: [] }
    this.#runs.set(key, run)
    run.rounds.push(measures)
  }

  /** Median of one measure; NaN where there is none. */
  median(scenario: string, contender: string, measure: string): number {
    const rounds = this.#runs.get(`${scenario}\n${contender}`)?.rounds ?? []
    return median(rounds.flatMap((round) => round[measure] ?? []))
  }

  /** `contender`'s median of a measure over that of `base`; without a base nothing. */
  ratio(
    scenario: string,
    measure: string,
    contender: string,
    base: string,
    target: string | null,
  ): readonly Ratio[] {
    const value = this.median(scenario, contender, measure) / this.median(scenario, base, measure)
    return Number.isNaN(value)
      ? []
      : [{ what: `${scenario}: ${measure}, ${contender} / ${base}`, value, target }]
  }

  get runs(): readonly Run[] {
    return [...this.#runs.values()]
  }
}
