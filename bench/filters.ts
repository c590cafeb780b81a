import type { Benchmark } from './benchmark.ts'
export const filters: Benchmark = { name: 'filters', about: '', run: async () => ({ runs: [], ratios: [] }) }
