// The `rules` attribute of a launch configuration as entries of the rule policy.
import { catalogue } from '../../emulator/virtio/rules';
import { parsePolicy, type PolicyEntry } from '../../emulator/virtio/watch/policy';
import type { LaunchConfiguration } from '../debug/launch-configuration';
import { ConfigurationError } from './parse-launch';

/** @throws ConfigurationError naming each pattern that matches nothing */
export function launchPolicy(configuration: LaunchConfiguration): readonly PolicyEntry[] {
  const table = Object.fromEntries(configuration.rules.map(({ pattern, action }) => [pattern, action]));
  const { entries, problems } = parsePolicy(table, catalogue);
  if (problems.length > 0) throw new ConfigurationError(problems.map((problem) => `rules: ${problem.message}`));
  return entries;
}
