{{ config(materialized='view') }}

{{ ticket_versions() }}
