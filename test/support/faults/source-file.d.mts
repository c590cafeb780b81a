export function sourceFile(path: string): string
