"""What has somebody been told on the customer's own site, and what did they do with it?"""
