/** Where the traffic tool serves. */

export const ports = {
  download: 5001,
  upload: 5002,
  echo: 5003,
  hold: 5004,
  short: 5005,
  port: 5006,
} as const;
