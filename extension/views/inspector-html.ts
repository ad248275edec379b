// The HTML of the inspector page: a strict content security policy, one style sheet, one script, and two empty places to draw in.

export interface InspectorPage {
  /** What the webview's own resources come from. */
  readonly cspSource: string;
  /** Fresh for each page, letters and digits. */
  readonly nonce: string;
  readonly scriptUri: string;
  readonly styleUri: string;
}

function attribute(value: string): string {
  return value.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;');
}

/**
 * The page runs its one script and nothing else: no inline style, no network, no frame. The controls put one empty style element in to
 * see what the browser can do; they find the nonce for it in `csp-nonce`.
 */
export function inspectorHtml(page: InspectorPage): string {
  if (!/^[A-Za-z0-9]{16,}$/.test(page.nonce)) {
    throw new Error(
      `The nonce of a page has at least 16 letters or digits, but this one is ${JSON.stringify(page.nonce)}`,
    );
  }
  const policy = [
    "default-src 'none'",
    `style-src ${page.cspSource} 'nonce-${page.nonce}'`,
    `font-src ${page.cspSource}`,
    `script-src 'nonce-${page.nonce}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${attribute(policy)}" />
    <meta property="csp-nonce" content="${page.nonce}" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <link rel="stylesheet" href="${attribute(page.styleUri)}" />
    <title>Ringside Inspector</title>
  </head>
  <body>
    <div id="inspector" class="inspector"></div>
    <div id="hover" class="hover" role="tooltip" hidden></div>
    <script nonce="${page.nonce}" src="${attribute(page.scriptUri)}"></script>
  </body>
</html>
`;
}
