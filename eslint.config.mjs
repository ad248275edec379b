// Lint rules: strict types, and the walls between rooms that the compiler alone cannot see.
import tseslint from 'typescript-eslint';

/** Forbids imports that go against the arrows webview -> (view models) <- extension -> emulator. */
const wall = (files, patterns) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: patterns.map(([regex, message]) => ({ regex, message })) }] },
});

export default tseslint.config(
  { ignores: ['dist/', 'out/', 'node_modules/', '**/*.mjs', '**/*.js'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        project: [
          'emulator/tsconfig.json',
          'extension/tsconfig.json',
          'webview/tsconfig.json',
          'webview/model/tsconfig.json',
          'test/tsconfig.json',
        ],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidOperator: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-extraneous-class': 'off',
      // VS Code's classes are interfaces in all but name: whatever has `dispose` is a Disposable.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/unified-signatures': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  wall(
    ['emulator/**/*.ts'],
    [
      ['^(vscode|node:|fs$|path$|os$|worker_threads$)', 'the emulator runs anywhere: no VS Code, no Node'],
      ['(extension|webview)/', 'the emulator knows nothing above it'],
    ],
  ),
  wall(['webview/**/*.ts'], [['(^|/)(emulator|extension)/', 'the webview sees view models only']]),
  wall(['webview/model/**/*.ts'], [['^(lit|@vscode)', 'view models are plain data']]),
  wall(
    ['extension/debug/**/*.ts'],
    [
      ['(^|/)(views|webview)/', 'the debug adapter knows nothing of views'],
      ['^vscode$', 'the debug adapter runs without VS Code'],
    ],
  ),
  wall(
    ['extension/symbols/**/*.ts', 'extension/worker/**/*.ts', 'extension/cli/**/*.ts'],
    [['^vscode$', 'runs without VS Code']],
  ),
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': 'off',
      'no-console': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },
  { files: ['extension/cli/**/*.ts'], rules: { 'no-console': 'off' } },
);
