"""The filters of a convolution, and the kinds that they rediscover: `visualize filters`."""
