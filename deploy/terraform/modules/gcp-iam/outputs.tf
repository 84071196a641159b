output "role_name" {
  description = "Full name of the custom role for instances."
  value       = google_project_iam_custom_role.worker.id
}

output "member" {
  description = "Who has the roles: the worker's ServiceAccount."
  value       = google_project_iam_member.worker.member
}
