"""Reports of an evaluation: ``report.json`` with its schema, and an HTML page with figures."""

from tacit.reports.dataset_report import write_dataset_report as write_dataset_report
from tacit.reports.figures import Figure as Figure
from tacit.reports import figures as figures
from tacit.reports.hierarchy_sections import hierarchy_sections as hierarchy_sections
from tacit.reports.identification_sections import identification_sections as identification_sections
from tacit.reports.identification_sections import world_sections as world_sections
from tacit.reports.report import Fact as Fact
from tacit.reports.report import Section as Section
from tacit.reports.report import Table as Table
from tacit.reports.report import write_report as write_report
from tacit.reports.report_schema import SCHEMA as SCHEMA
from tacit.reports.report_schema import episodes_record as episodes_record
from tacit.reports.report_schema import new_record as new_record
from tacit.reports.report_schema import open_loop_record as open_loop_record
from tacit.reports.report_schema import plain as plain
from tacit.reports.report_schema import planning_record as planning_record
from tacit.reports.report_schema import probe_record as probe_record
from tacit.reports.report_schema import validate as validate
from tacit.reports.report_sections import comparison_section as comparison_section
from tacit.reports.report_sections import episodes_section as episodes_section
from tacit.reports.report_sections import health_section as health_section
from tacit.reports.report_sections import imagination_section as imagination_section
from tacit.reports.report_sections import open_loop_section as open_loop_section
from tacit.reports.report_sections import planning_section as planning_section
from tacit.reports.report_sections import probe_section as probe_section
from tacit.reports.report_sections import training_section as training_section

__all__: list[str]
