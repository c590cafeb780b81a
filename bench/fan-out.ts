import type { Benchmark } from './benchmark.ts'
export const fanOut: Benchmark = { name: 'fan-out', about: '', run: async () => ({ runs: [], ratios: [] }) }
