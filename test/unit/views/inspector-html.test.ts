// The page's HTML: a policy that lets nothing in but its own style sheet and script.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { inspectorHtml } from '../../../extension/views/inspector-html';

const page = {
  cspSource: 'https://*.vscode-cdn.net',
  nonce: 'abcdefghijklmnop1234',
  scriptUri: 'https://file.vscode-cdn.net/dist/inspector.js',
  styleUri: 'https://file.vscode-cdn.net/dist/inspector.css',
};

it('starts from nothing and allows one script and one style sheet', () => {
  const html = inspectorHtml(page);
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1] ?? '';
  assert.match(policy, /^default-src 'none'; /);
  assert.match(policy, /script-src 'nonce-abcdefghijklmnop1234'(;|$)/);
  assert.doesNotMatch(policy, /unsafe|\*;|data:|connect-src|img-src|frame-src/);
  assert.equal(html.match(/<script/g)?.length, 1);
  assert.doesNotMatch(html, /style=|onload|onerror|<style/);
});

it('escapes what stands in attributes', () => {
  assert.match(inspectorHtml({ ...page, styleUri: 'https://x/"><script>' }), /href="https:\/\/x\/&quot;>&lt;script>"/);
});

it('refuses a nonce that could be guessed or that breaks out', () => {
  assert.throws(() => inspectorHtml({ ...page, nonce: 'short' }), /at least 16 letters or digits/);
  assert.throws(() => inspectorHtml({ ...page, nonce: "abcdefghijklmnop' 'unsafe-inline" }), /at least 16/);
});
