output "role_name" {
  description = "Full name of the custom role."
  value       = google_project_iam_custom_role.worker.id
}

output "member" {
  description = "Who has the role: the worker's ServiceAccount."
  value       = google_project_iam_member.worker.member
}
