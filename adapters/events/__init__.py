"""What has happened, on its way to those who listen: CloudEvents over message servers and HTTP.

==================  ======================================================================
``catalogue``       the types of events: their names and members
``cloudevents``     an event of the core as a CloudEvent, under an id that stays the same
``routing``         the words of a routing key
``schemas``         the JSON Schema of each type
``channels``        where announcements go; the message servers' are in their own folders
``announcer``       lets announcements out, and the outbox forget them
``allowance``       how many rejections are announced
==================  ======================================================================

An announcement is stored in one step with the fact (``broker.ports.Outbox``), so that none is lost
and none is made up; it may come more than once, under the same id.
"""
