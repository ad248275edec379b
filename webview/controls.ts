// The page's controls: the one module that knows where they come from, so that a successor of the toolkit can replace them here.
// Registers only what the page uses: vscode-button, vscode-checkbox, vscode-dropdown with vscode-option, vscode-text-field.
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';

export function registerControls(): void {
  provideVSCodeDesignSystem().register(
    vsCodeButton(),
    vsCodeCheckbox(),
    vsCodeDropdown(),
    vsCodeOption(),
    vsCodeTextField(),
  );
}

/** The text of a text field or the value of a dropdown that raised `event`; empty when it is neither. */
export function controlValue(event: Event): string {
  const control: unknown = event.currentTarget;
  if (typeof control !== 'object' || control === null || !('value' in control)) return '';
  return typeof control.value === 'string' ? control.value : '';
}
