"""Telling people: what happens in a run as messages to webhooks and by Apprise, as `config.notify` asks for it.

`notices` says what events mean to a person, `pacing` when a channel may speak, `message` what is sent, `webhook` and
`apprise_channel` how; `outbox` carries one channel's messages, `notifier` all of them.
"""
