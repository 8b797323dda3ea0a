"""The fence around a batch of actions: requests that the policy is sure to record, before and after."""
