"""The HTTP front door for machines: one table of what can be asked, and the OpenAPI 3.1 document.

==============  ==================================================================
``row``         what a row of the table says
``rows_…``      the rows: a file for each part of the front door
``table``       all of them
``parameters``  path, query and head
``shapes``      how schemas are written here
``schemas_…``   bodies, as JSON Schema; those of translations are ``adapters.schema``'s
``examples``    what examples say in the place of what exists only in a running broker
``refusals``    the answers that are errors
``operations``  rows of one method and path as an operation
``document``    the whole
``page``        ``GET /openapi.json``
==============  ==================================================================
"""
