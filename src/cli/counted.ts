/** `1 range`, `3 ranges`: a number and what it counts. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}
