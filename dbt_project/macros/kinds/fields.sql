{#- The fields that Silver holds of a kind's records and reconcile compares, in the order of Silver's digest. What belongs
    to the delivery is left out. -#}
{% macro compared_fields(kind) -%}
    {{ return(declared_kinds()[kind] | selectattr('column', 'defined') | rejectattr('envelope') | list) }}
{%- endmacro %}

{#- What of a kind's records is watched for drift: names of fields whose shares of values are, and of those that may be
    absent. -#}
{% macro drift_features(kind) -%}
    {%- set fields = declared_kinds()[kind] -%}
    {{ return({
        'mixes': fields | selectattr('mix') | map(attribute='field') | list,
        'optional_fields': fields | rejectattr('required') | map(attribute='field') | list,
    }) }}
{%- endmacro %}

{#- Every field of every kind, with what may hold it: `column` where Silver may, `serve` where readers may. -#}
{% macro ruled_fields() -%}
    {{ return(declared_kinds().values() | sum(start=[])) }}
{%- endmacro %}
