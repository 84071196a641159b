/** A tool of the sandbox cannot be had. The message tells what to do about it. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}
